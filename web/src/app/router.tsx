/** Which address shows what. Screens are split off; the frame stays. Knows no screen's inside. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { Frame } from "./Frame";
import { Crash, NotFound } from "./Trouble";

const root = createRootRoute({ component: Frame, notFoundComponent: NotFound });

const index = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/create", replace: true });
  },
});

export const createPageRoute = createRoute({
  getParentRoute: () => root,
  path: "/create",
  validateSearch: (search: Record<string, unknown>): { run?: string } => text(search, "run"),
  component: lazyRouteComponent(() => import("./CreateRoute")),
});

export const trainRoute = createRoute({
  getParentRoute: () => root,
  path: "/train",
  validateSearch: (search: Record<string, unknown>): { run?: string } => text(search, "run"),
  component: lazyRouteComponent(() => import("./TrainRoute")),
});

export const jobsRoute = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  validateSearch: (
    search: Record<string, unknown>,
  ): { q?: string; state?: string; run?: string; base?: string } => text(search, "q", "state", "run", "base"),
  component: lazyRouteComponent(() => import("./JobsRoute")),
});

export const modelsRoute = createRoute({
  getParentRoute: () => root,
  path: "/models",
  component: lazyRouteComponent(() => import("./ModelsRoute")),
});

/** The named entries that hold a non-empty text; the rest of the address is not ours. */
function text<K extends string>(search: Record<string, unknown>, ...names: K[]): Partial<Record<K, string>> {
  const kept: Partial<Record<K, string>> = {};
  for (const name of names) {
    const value = search[name];
    if (value !== undefined && value !== null && value !== "") kept[name] = String(value);
  }
  return kept;
}

export const routeTree = root.addChildren([index, createPageRoute, trainRoute, jobsRoute, modelsRoute]);

export const router = createRouter({
  routeTree,
  defaultPreload: "intent",
  defaultErrorComponent: Crash,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
