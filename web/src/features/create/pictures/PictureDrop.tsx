/** One of our PNGs, dropped anywhere on the page or opened by a press, brings back what made it. */
import { IconPhotoUp } from "@tabler/icons-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { readPicture } from "@/api/pictures";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { isAdapter } from "../logic/adapters";
import { restorePicture } from "../studio";
import classes from "./PictureDrop.module.css";
import { usePictureWords } from "./words";

type Told = "reading" | "done" | "notPng" | null;
const isPng = (file: File): boolean => file.type === "image/png" || /\.png$/i.test(file.name);
const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;

/** `button`: offered as a press, too; dropped files are always taken. */
export function PictureDrop({ button }: { button: boolean }) {
  const t = usePictureWords();
  const field = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [told, setTold] = useState<Told>(null);
  const [error, setError] = useState<unknown>(null);

  const open = useCallback(async (file: File | undefined) => {
    if (!file || isAdapter(file)) return; // a LoRA is taken by its own part
    setError(null);
    if (!isPng(file)) return setTold("notPng");
    setTold("reading");
    try {
      restorePicture(await readPicture(file));
      setTold("done");
    } catch (thrown) {
      setTold(null);
      setError(thrown);
    }
  }, []);

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
      setOver(false);
      void open(event.dataTransfer?.files[0]);
    };
    window.addEventListener("dragover", drag);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", drag);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, [open]);

  return (
    <div className={classes.drop}>
      <input
        ref={field}
        type="file"
        accept="image/png"
        hidden
        onChange={(event) => {
          void open(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
      {button ? (
        <Button kind="quiet" size="small" title={t("drop.help")} onClick={() => field.current?.click()}>
          <IconPhotoUp size={16} aria-hidden /> {t("drop.open")}
        </Button>
      ) : null}
      <span className={classes.told} role="status">
        {told ? t(`drop.${told}`) : null}
      </span>
      {error ? <ErrorNote error={error} compact /> : null}
      {over ? (
        <div className={classes.over} aria-hidden="true">
          <strong>{t("drop.here")}</strong>
          <span>{t("drop.help")}</span>
        </div>
      ) : null}
    </div>
  );
}
