/** One run, wholly: what was asked, what came, how it went; and what can be done with it. */
import { Drawer } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Run } from "@/api/types";
import { ImfineError } from "@/shared/errors";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { runQuery } from "../runsQuery";
import { StateChip } from "../StateChip";
import type { ChangeView } from "../view";
import { useT } from "../words";
import { Actions } from "./Actions";
import { Answers } from "./Answers";
import { Asked } from "./Asked";
import { Comparison } from "./Comparison";
import { Course } from "./Course";
import { Log } from "./Log";
import { Pictures } from "./Pictures";
import classes from "./RunDrawer.module.css";
import { useRunLog } from "./useRunLog";

type Props = { id: string; base: string | undefined; onView: ChangeView; onOpen: (run: Run) => void };

export function RunDrawer({ id, base, onView, onOpen }: Props) {
  const t = useT();
  const { data: run, error, refetch } = useQuery(runQuery(id));
  const log = useRunLog(id);
  return (
    <Drawer
      opened
      onClose={() => onView({ run: undefined })}
      position="right"
      size={720}
      title={
        <span className={classes.title}>
          {run?.name ?? id}
          {run ? <StateChip state={run.state} /> : null}
        </span>
      }
      closeButtonProps={{ "aria-label": t("detail.close") }}
      transitionProps={{ duration: 120 }}
    >
      <div className={classes.body}>
        {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : null}
        {run ? (
          <>
            <Actions run={run} base={base} onView={onView} onOpen={onOpen} />
            {run.error ? <ErrorNote error={new ImfineError(run.error)} /> : null}
            {base && base !== id && run.kind === "generate" && !run.request.image ? (
              <Comparison run={run} base={base} />
            ) : null}
            {run.kind === "generate" ? (
              <>
                <Asked run={run} />
                {run.request.image ? <Pictures run={run} /> : <Answers run={run} live={log.lanes} />}
              </>
            ) : null}
            <Course run={run} />
            <Log log={log} />
          </>
        ) : null}
      </div>
    </Drawer>
  );
}
