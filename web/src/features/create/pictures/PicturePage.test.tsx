/** The page with a picture model: its knobs, a slider's move, previews, the finished pair, the named bands. */
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startPageStream } from "@/api/stream/pageStream";
import { setLanguage } from "@/shared/i18n/i18n";
import { useChosenModel } from "@/shared/store/model";
import { violations } from "@/test/axe";
import { card } from "@/test/data";
import { answer, fakeServer } from "@/test/fakeServer";
import CreatePage from "../CreatePage";
import { sitAt, useDraft } from "../logic/draft";
import { EMPTY } from "../logic/lanes";
import { useVariants } from "../logic/variants";
import { useView } from "../logic/view";
import { stop, useLanes } from "../studio";

const emoji = card({ id: "emoji-diffusion", family: "stable-diffusion", languages: ["en", "ko"] });
const layout = {
  kind: "image",
  family: "stable-diffusion",
  layers: 4,
  band_names: ["IN00", "M00", "OUT00", "TE"],
  points: ["q", "k", "q2"],
  eps: 1e-5,
  eps_knob_max: 5,
  knobs: ["eps", "attn", "mlp", "tone", "style"],
  image: { sample_size: 64, multiple_of: 8, steps: 20, guidance: 3 },
};
const kept = {
  model: "emoji-diffusion",
  prompt: "잠자는 달",
  recipe: { tone: 0.4 },
  image: { steps: 8, seed: 1 },
  seed: 12,
  lane: "tuned",
};

let runs = 0;
let end: () => void = () => {};

function show() {
  const server = fakeServer({
    "GET /api/models": () => ({ items: [emoji] }),
    "GET /api/models/:id": () => ({
      card: emoji,
      layout,
      tensors: 300,
      deltas: [],
      methods: [],
      parent: null,
    }),
    "GET /api/session": () => ({ version: "1", public_url: null, languages: [], token_limit_bytes: 1 }),
    "POST /api/manifest": () => ({ tensors: [], touched: 1, total: 300, parameters: 1, share: 0.1, eps: [] }),
    "POST /api/runs": () => answer(202, { id: `pictures${++runs}` }),
    "POST /api/runs/:id/cancel": () => ({}),
    "POST /api/pictures/read": () => kept,
  });
  end = startPageStream();
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <MantineProvider>
        <main>
          <CreatePage run={null} />
        </main>
      </MantineProvider>
    </QueryClientProvider>,
  );
  const posted = () => server.asked.filter(({ method, path }) => method === "POST" && path === "/api/runs");
  const say = (event: Record<string, unknown>) =>
    act(async () => {
      server.say("/api/events", { run: `pictures${runs}`, attempt: 1, ...event });
      await new Promise((resolve) => setTimeout(resolve, 5));
    });
  return { server, posted, say };
}

const picture = (lane: number, sha256: string) => ({
  type: "picture",
  lane,
  index: 0,
  seed: 7,
  width: 64,
  height: 64,
  sha256,
  size: 1,
  url: `/api/artifacts/${sha256}.png`,
});

beforeEach(() => {
  setLanguage("en");
  useChosenModel.setState({ id: "emoji-diffusion" });
  useDraft.setState(useDraft.getInitialState(), true);
  sitAt("image");
  useDraft.setState({ prompt: "red apple" });
  useVariants.setState({ items: [] });
  useView.setState({ compare: "side", equalizer: false });
  useLanes.setState(EMPTY, true);
});
afterEach(() => {
  stop();
  end();
});

it("draws as soon as TONE moves; previews form, the pair is compared, the recipe stays in the filmstrip", async () => {
  const { posted, say } = show();
  const tone = await screen.findByRole("slider", { name: "TONE" });
  expect(tone).toHaveAttribute("aria-valuenow", "0");
  await screen.findByRole("button", { name: /Equalizer/ });
  fireEvent.keyDown(tone, { key: "ArrowLeft" });
  await waitFor(() => expect(posted()).toHaveLength(1));
  const body = posted()[0]?.body as Record<string, unknown>;
  expect(body).toMatchObject({
    kind: "generate",
    prompt: "red apple",
    recipe: { tone: -0.05 },
    image: { seed: 7, previews: true },
  });
  expect(body).not.toHaveProperty("sampling");
  await say({ type: "preview", lane: 1, index: 0, step: 3, steps: 20, mime: "image/webp", data: "AA" });
  const tuned = screen.getByRole("region", { name: "Tuned" });
  expect(within(tuned).getByRole("img")).toHaveAttribute("src", "data:image/webp;base64,AA");
  expect(within(tuned).getByText("step 3 / 20")).toBeInTheDocument();
  await say(picture(0, "aa"));
  await say(picture(1, "bb"));
  await say({
    type: "picture_measures",
    lane: 1,
    index: 0,
    difference: 0.05,
    ssim: 0.9,
    colourfulness: 31,
    sharpness: 2,
  });
  await say({ type: "state", state: "succeeded" });
  expect(within(tuned).getByRole("img")).toHaveAttribute("src", "/api/artifacts/bb.png");
  expect(screen.getAllByText("Similarity (SSIM) 0.900").length).toBeGreaterThan(0);
  expect(screen.getByRole("button", { name: /TONE −0.05/ }).querySelector("img")).not.toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Slider" }));
  expect(screen.getByRole("slider", { name: "Between original and tuned" })).toHaveValue("50");
  expect(await violations()).toEqual([]);
  act(() => setLanguage("ko"));
  fireEvent.click(screen.getByRole("button", { name: "나란히" }));
  expect(await violations()).toEqual([]);
});

it("names the bands as the UNet's blocks", async () => {
  show();
  fireEvent.click(await screen.findByRole("button", { name: /Equalizer/ }));
  const band = screen.getByRole("slider", { name: "ATTN band, IN00" });
  fireEvent.keyDown(band, { key: "End" });
  expect(band).toHaveAttribute("aria-label", "ATTN band, TE");
  fireEvent.keyDown(band, { key: "ArrowUp" });
  expect(useDraft.getState().recipe.bands.attn).toEqual([1, 1, 1, 1.05]);
});

it("takes back what one of our PNGs carries", async () => {
  show();
  await screen.findByRole("button", { name: /Equalizer/ });
  const file = new File(["png"], "one.png", { type: "image/png" });
  fireEvent.drop(window, { dataTransfer: { types: ["Files"], files: [file] } });
  await waitFor(() => expect(useDraft.getState().prompt).toBe("잠자는 달"));
  const { recipe, image } = useDraft.getState();
  expect(recipe.tone).toBe(0.4);
  expect(image).toMatchObject({ steps: 8, seed: 12, count: 1 });
});
