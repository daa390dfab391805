/** The Train page's surroundings in a test: a server that trains nothing, the way a file takes to it, the page itself. */
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import { vi } from "vitest";
import { startPageStream } from "@/api/stream/pageStream";
import { setLanguage } from "@/shared/i18n/i18n";
import { run as anyRun, type card } from "@/test/data";
import { type FakeServer, fakeServer } from "@/test/fakeServer";
import { useProbe } from "./probe";
import TrainPage from "./TrainPage";
import { dismiss } from "./training";
import { callOff } from "./upload";

const METHODS = ["full", "lora", "dora"];

type World = {
  card: ReturnType<typeof card>;
  layout: object;
  dataset: { id: string };
  preview: object;
  estimate: object;
};

export interface FakeTraining {
  server: FakeServer;
  /** What was sent, and what the server answers once it has it. */
  sent: { url: string; file: File }[];
  upload: { status: number; body: unknown };
  /** The run that was asked for last. */
  latest: string;
  made: (asked: Record<string, unknown>) => object;
  /** An event of that run. */
  say: (data: Record<string, unknown>) => void;
  end: () => void;
}

let runs = 0;

export function fakeTraining(world: World): FakeTraining {
  const fake: FakeTraining = {
    server: fakeServer({
      "GET /api/models": () => ({ items: [world.card] }),
      "GET /api/models/:id": () => ({ card: world.card, layout: world.layout, methods: METHODS, deltas: [] }),
      "GET /api/datasets": () => ({ items: [] }),
      "GET /api/datasets/:id/preview": () => world.preview,
      "POST /api/train/estimate": () => world.estimate,
      "POST /api/runs": ({ body }) => fake.made(body as Record<string, unknown>),
      "GET /api/runs/:id": () => fake.made({ kind: "train", name: "mine" }),
    }),
    sent: [],
    upload: { status: 201, body: world.dataset },
    latest: "",
    made(asked) {
      if (asked.plan || asked.slider) fake.latest = `run-${++runs}`;
      const request = { model: world.card.id, revision: null, dataset: world.dataset.id, plan: {}, ...asked };
      const run = anyRun({ id: fake.latest, name: String(asked.name ?? "n") });
      return { ...run, ...asked, request, result: null };
    },
    say: (data) => fake.server.say("/api/events", { run: fake.latest, attempt: 1, ...data }),
    end() {
      stopStream();
      dismiss();
      callOff();
      useProbe.setState({ key: null, run: null, phase: null, result: null, error: null });
      setLanguage("en");
      vi.unstubAllGlobals();
    },
  };
  vi.stubGlobal("XMLHttpRequest", senderOf(fake));
  const stopStream = startPageStream();
  return fake;
}

function senderOf(fake: FakeTraining) {
  return class {
    upload: { onprogress?: (e: unknown) => void; onload?: () => void } = {};
    status = 0;
    responseText = "";
    onload: () => void = () => {};
    private url = "";
    open(_method: string, url: string) {
      this.url = url;
    }
    setRequestHeader() {}
    getResponseHeader = () => "req-1";
    abort() {}
    send(file: File) {
      fake.sent.push({ url: this.url, file });
      this.upload.onprogress?.({ loaded: file.size / 2, total: file.size });
      setTimeout(() => {
        this.upload.onload?.();
        this.status = fake.upload.status;
        this.responseText = JSON.stringify(fake.upload.body);
        this.onload();
      });
    }
  };
}

/** Returns what the page calls when it ends beside the original. */
export function show(model: string, onCompare = vi.fn()) {
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <main>
          <TrainPage model={model} run={null} onCompare={onCompare} />
        </main>
      </QueryClientProvider>
    </MantineProvider>,
  );
  return onCompare;
}
