/** Everything the screens stand on: theme, requests, session, router. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { SessionGate } from "@/features/session/SessionGate";
import { asImfineError } from "@/shared/errors";
import { ThemeProvider } from "@/shared/theme/ThemeProvider";
import { router } from "./router";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) => failures < 2 && [0, 502, 503, 504].includes(asImfineError(error).status),
      refetchOnWindowFocus: false,
    },
  },
});

export function App() {
  return (
    <ThemeProvider>
      <QueryClientProvider client={queries}>
        <SessionGate>
          <RouterProvider router={router} />
        </SessionGate>
      </QueryClientProvider>
    </ThemeProvider>
  );
}
