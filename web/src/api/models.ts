/** The models there are, and one of them closely. Knows the API, no screen. */
import { queryOptions } from "@tanstack/react-query";
import { api, body } from "./client";

export const modelsQuery = queryOptions({
  queryKey: ["models"],
  queryFn: ({ signal }) => body(api.GET("/api/models", { signal })).then(({ items }) => items),
  staleTime: 30_000,
});

export function modelQuery(id: string) {
  return queryOptions({
    queryKey: ["models", id],
    queryFn: ({ signal }) => body(api.GET("/api/models/{id}", { params: { path: { id } }, signal })),
    staleTime: 30_000,
  });
}
