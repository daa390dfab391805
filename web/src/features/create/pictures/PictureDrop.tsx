/** One of our PNGs, dropped anywhere on the page or opened by a press, brings back what made it. */
import { IconPhotoUp } from "@tabler/icons-react";
import { useCallback, useRef, useState } from "react";
import { readPicture } from "@/api/pictures";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { useFileDrop } from "@/shared/useFileDrop";
import { isAdapter } from "../logic/adapters";
import { restorePicture } from "../studio";
import classes from "./PictureDrop.module.css";
import { usePictureWords } from "./words";

type Told = "reading" | "done" | "notPng" | null;
const isPng = (file: File): boolean => file.type === "image/png" || /\.png$/i.test(file.name);

/** `button`: offered as a press, too; dropped files are always taken. */
export function PictureDrop({ button }: { button: boolean }) {
  const t = usePictureWords();
  const field = useRef<HTMLInputElement>(null);
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

  const { over } = useFileDrop(([file]) => void open(file));

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
