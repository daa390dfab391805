/** Where a file is dropped or chosen. Knows files, not what becomes of them. */
import { IconFileUpload } from "@tabler/icons-react";
import { useRef } from "react";
import { Button } from "@/shared/ui/Button";
import { useT } from "../words";
import classes from "./Data.module.css";

type Props = { first: boolean; over: boolean; onFiles: (files: readonly File[]) => void };

/** `first`: there is nothing chosen yet, so that this is what to do. */
export function Drop({ first, over, onFiles }: Props) {
  const t = useT();
  const field = useRef<HTMLInputElement>(null);
  return (
    <div className={classes.drop} data-over={over || undefined}>
      <IconFileUpload size={30} stroke={1.5} aria-hidden />
      <p>
        <strong>{t("data.drop")}</strong> {t("data.or")}
      </p>
      <Button kind={first ? "primary" : "plain"} onClick={() => field.current?.click()}>
        {t("data.choose")}
      </Button>
      <input
        ref={field}
        type="file"
        accept=".jsonl,.ndjson,.json,.csv,.tsv,.parquet,.txt,.md,.zip"
        hidden
        aria-label={t("data.choose")}
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
      <p className={classes.quiet}>{t("data.formats")}</p>
    </div>
  );
}
