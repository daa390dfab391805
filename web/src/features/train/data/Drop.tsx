/** Where a file is dropped or chosen, also anywhere on the page. Knows files, not what becomes of them. */
import { IconFileUpload } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { Button } from "@/shared/ui/Button";
import { useT } from "../words";
import classes from "./Data.module.css";

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;

type Props = { first: boolean; onFile: (file: File) => void };

/** `first`: there is nothing chosen yet, so that this is what to do. */
export function Drop({ first, onFile }: Props) {
  const t = useT();
  const field = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [several, setSeveral] = useState(false);
  const take = useRef((_: FileList | null | undefined) => {});
  take.current = (files) => {
    setOver(false);
    setSeveral((files?.length ?? 0) > 1);
    const [file] = files ?? [];
    if (file && files?.length === 1) onFile(file);
  };

  useEffect(() => {
    const drag = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      take.current(event.dataTransfer?.files);
    };
    window.addEventListener("dragover", drag);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", drag);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, []);

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
          take.current(event.target.files);
          event.target.value = "";
        }}
      />
      <p className={classes.quiet}>{t("data.formats")}</p>
      {several ? (
        <p role="alert" className={classes.warn}>
          {t("data.several")}
        </p>
      ) : null}
    </div>
  );
}
