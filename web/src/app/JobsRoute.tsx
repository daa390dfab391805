/** The Jobs page, its filters and its open run kept in the address. */
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import JobsPage from "@/features/jobs/JobsPage";

const route = getRouteApi("/jobs");

export default function JobsRoute() {
  const search = route.useSearch();
  const navigate = useNavigate();
  return (
    <JobsPage
      view={search}
      onView={(change, replace) =>
        void navigate({ to: "/jobs", search: (now) => ({ ...now, ...change }), replace })
      }
      onOpen={({ id, kind }) =>
        void navigate({ to: kind === "generate" ? "/create" : "/train", search: { run: id } })
      }
      onCreate={() => void navigate({ to: "/create" })}
    />
  );
}
