/** Keys as caps: <Kbd keys="mod+Enter" />. */
import { keyCaps } from "../keys";
import classes from "./Kbd.module.css";

export function Kbd({ keys }: { keys: string }) {
  return (
    <span className={classes.keys}>
      {keyCaps(keys).map((cap) => (
        <kbd key={cap} className={classes.cap}>
          {cap}
        </kbd>
      ))}
    </span>
  );
}
