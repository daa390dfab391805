/** Where files are dropped or chosen. Knows files, not what becomes of them. */
import { IconFileUpload } from "@tabler/icons-react";
import { useRef } from "react";
import { Button } from "@/shared/ui/Button";
import type { Kind } from "../logic/ready";
import { useT } from "../words";
import classes from "./Data.module.css";

type Props = { kind: Kind; first: boolean; over: boolean; onFiles: (files: readonly File[]) => void };

const ACCEPT: Record<Kind, string> = {
  text: ".jsonl,.ndjson,.json,.csv,.tsv,.parquet,.txt,.md,.zip",
  image: ".zip,.png,.jpg,.jpeg,.webp,.bmp,.txt,.caption,.jsonl",
};

/** `first`: there is nothing chosen yet, so that this is what to do. */
export function Drop({ kind, first, over, onFiles }: Props) {
  const t = useT();
  const field = useRef<HTMLInputElement>(null);
  return (
    <div className={classes.drop} data-over={over || undefined}>
      <IconFileUpload size={30} stroke={1.5} aria-hidden />
      <p>
        <strong>{t(`data.drop.${kind}`)}</strong> {t("data.or")}
      </p>
      <Button kind={first ? "primary" : "plain"} onClick={() => field.current?.click()}>
        {t(`data.choose.${kind}`)}
      </Button>
      <input
        ref={field}
        type="file"
        accept={ACCEPT[kind]}
        multiple
        hidden
        aria-label={t(`data.choose.${kind}`)}
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
      <p className={classes.quiet}>{t(`data.formats.${kind}`)}</p>
    </div>
  );
}
