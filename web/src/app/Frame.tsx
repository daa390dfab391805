/** What stands around every screen: rail (or tabs on a phone), top bar, strip of running work. Knows no screen. */
import { Outlet, useNavigate } from "@tanstack/react-router";
import { Suspense } from "react";
import { Strip } from "@/features/activity/Strip";
import classes from "./Frame.module.css";
import { LostBanner } from "./LostBanner";
import { Nav } from "./Nav";
import { Palette } from "./palette/Palette";
import { Shortcuts } from "./palette/Shortcuts";
import { useFrameCommands } from "./palette/useFrameCommands";
import { useKeyboard } from "./palette/useKeyboard";
import { TopBar } from "./TopBar";
import { useT } from "./words";

export function Frame() {
  const t = useT();
  const navigate = useNavigate();
  useFrameCommands();
  useKeyboard();
  return (
    <div className={classes.frame}>
      <a href="#content" className={classes.skip}>
        {t("skip")}
      </a>
      <Nav />
      <div className={classes.column}>
        <TopBar />
        <LostBanner />
        <main id="content" className={classes.content} tabIndex={-1}>
          <Suspense fallback={<p className={classes.loading}>{t("loading")}</p>}>
            <Outlet />
          </Suspense>
        </main>
        <Strip
          onShow={(run) => void navigate({ to: "/jobs", search: run ? { run } : { state: "running" } })}
        />
      </div>
      <Palette />
      <Shortcuts />
    </div>
  );
}
