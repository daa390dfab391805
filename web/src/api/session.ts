/** Who we are talking to: version, languages, the address others reach the server at. Knows no screen. */
import { queryOptions } from "@tanstack/react-query";
import { api, body } from "./client";

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => body(api.GET("/api/session", { signal })),
  staleTime: Number.POSITIVE_INFINITY,
});
