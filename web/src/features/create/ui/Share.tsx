/** The same setting elsewhere: as command, Python, curl, JSON; as a link; as one HTML file. Knows what was asked, not what
 *  was answered: the file is made by who shows the answer. */
import { Menu } from "@mantine/core";
import { IconCopy, IconShare3 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { api, body } from "@/api/client";
import { saveAs } from "@/shared/saveAs";
import { Button } from "@/shared/ui/Button";
import { copyText, ErrorNote } from "@/shared/ui/ErrorNote";
import { type Asked, asCommand, asCurl, asJson, asPython } from "../logic/copyAs";
import { useWords } from "../messages";
import classes from "./Share.module.css";

type Props = {
  /** What is asked for at the moment of a copy. */
  asked: () => Asked;
  run: string | null;
  /** The whole comparison as one HTML file; null while there is nothing whole. */
  html: (() => string | Promise<string>) | null;
  fileHelp: string;
  children?: ReactNode; // what more can be done with the answer
};

export function Share({ asked, run, html, fileHelp, children }: Props) {
  const t = useWords();
  const session = useQuery({
    queryKey: ["session"],
    queryFn: ({ signal }) => body(api.GET("/api/session", { signal })),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const [said, setSaid] = useState<string | null>(null);
  const [refusedText, setRefused] = useState<string | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const publicUrl = session.data?.public_url ?? null;

  const copy = async (text: string) => {
    try {
      await copyText(text);
      setRefused(null);
      setSaid(t("share.copied"));
      setTimeout(() => setSaid(null), 2500);
    } catch {
      setRefused(text);
    }
  };
  const download = async () => {
    if (!html) return;
    setFailed(null);
    const name = `imfine-${asked().model.replace(/[^\w.-]+/g, "-")}-${run?.slice(-6) ?? ""}.html`;
    try {
      saveAs(name, new Blob([await html()], { type: "text/html" }));
    } catch (thrown) {
      setFailed(thrown);
    }
  };

  return (
    <div className={classes.share}>
      <span className={classes.said} role="status">
        {said}
      </span>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button size="small">
            <IconCopy size={15} aria-hidden /> {t("share.copy")}
          </Button>
        </Menu.Target>
        <Menu.Dropdown className={classes.menu}>
          <Menu.Item onClick={() => void copy(asCommand(asked()))}>{t("share.command")}</Menu.Item>
          <Menu.Item onClick={() => void copy(asPython(asked()))}>{t("share.python")}</Menu.Item>
          <Menu.Item onClick={() => void copy(asCurl(asked(), publicUrl ?? window.location.origin))}>
            {t("share.curl")}
          </Menu.Item>
          <Menu.Item onClick={() => void copy(asJson(asked()))}>{t("share.json")}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Menu position="bottom-end" withinPortal width={280}>
        <Menu.Target>
          <Button size="small" disabled={!html}>
            <IconShare3 size={15} aria-hidden /> {t("share.share")}
          </Button>
        </Menu.Target>
        <Menu.Dropdown className={classes.menu}>
          <Menu.Item
            disabled={!publicUrl}
            onClick={() => void copy(new URL(`/create?run=${run}`, publicUrl ?? window.location.origin).href)}
          >
            {t("share.link")}
            {publicUrl ? null : <small>{t("share.linkLocal")}</small>}
          </Menu.Item>
          <Menu.Item onClick={() => void download()}>
            {t("share.file")}
            <small>{fileHelp}</small>
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {children}
      {failed ? <ErrorNote error={failed} compact /> : null}
      {refusedText !== null ? (
        <label className={classes.refused}>
          <span>{t("share.copyFailed")}</span>
          <textarea readOnly rows={4} value={refusedText} onFocus={(event) => event.target.select()} />
        </label>
      ) : null}
    </div>
  );
}
