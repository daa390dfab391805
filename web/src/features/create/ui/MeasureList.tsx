/** Numbers, each with its name and what it is and is not. Knows not what was measured. */
import { Help } from "@/shared/ui/Help";
import classes from "./MeasureList.module.css";

export interface Measure {
  name: string;
  help: string;
  value: string | null | undefined; // neither: it could not be measured, and is left out
}

export function MeasureList({ measures }: { measures: readonly Measure[] }) {
  return (
    <dl className={classes.measures}>
      {measures.map(({ name, help, value }) =>
        value === null || value === undefined ? null : (
          <div key={name}>
            <dt>
              {name}
              <Help about={name}>{help}</Help>
            </dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
