/** What stands around every screen: rail (or tabs on a phone), top bar, strip of running work. Knows no screen. */
import { Outlet } from "@tanstack/react-router";
import { Suspense } from "react";
import classes from "./Frame.module.css";
import { Nav } from "./Nav";
import { TopBar } from "./TopBar";
import { useT } from "./words";

export function Frame() {
  const t = useT();
  return (
    <div className={classes.frame}>
      <a href="#content" className={classes.skip}>
        {t("skip")}
      </a>
      <Nav />
      <div className={classes.column}>
        <TopBar />
        <main id="content" className={classes.content} tabIndex={-1}>
          <Suspense fallback={<p className={classes.loading}>{t("loading")}</p>}>
            <Outlet />
          </Suspense>
        </main>
      </div>
    </div>
  );
}
