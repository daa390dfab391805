/** The bar on top: the model in use, the palette, language and theme. */
import classes from "./TopBar.module.css";

export function TopBar() {
  return <header className={classes.bar} />;
}
