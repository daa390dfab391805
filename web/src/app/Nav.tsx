/** The rail on the left, the tab bar of a phone: the same links, placed by CSS. */
import { IconAdjustmentsHorizontal, IconCube, IconMenuDeep, IconSchool } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { Mark } from "@/shared/ui/Mark";
import classes from "./Nav.module.css";
import { useT } from "./words";

const LINKS = [
  { to: "/create", word: "nav.create", Icon: IconAdjustmentsHorizontal },
  { to: "/train", word: "nav.train", Icon: IconSchool },
  { to: "/jobs", word: "nav.jobs", Icon: IconMenuDeep },
  { to: "/models", word: "nav.models", Icon: IconCube },
] as const;

export function Nav() {
  const t = useT();
  return (
    <nav className={classes.nav} aria-label={t("nav.label")}>
      <Link to="/create" className={classes.mark} aria-label={t("product")}>
        <Mark size={36} />
      </Link>
      <ul className={classes.links}>
        {LINKS.map(({ to, word, Icon }) => (
          <li key={to}>
            <Link to={to} className={classes.link} activeOptions={{ includeSearch: false }}>
              <Icon size={21} stroke={1.7} aria-hidden />
              {t(word)}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
