import { fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { setLanguage } from "@/shared/i18n/i18n";
import { undo, useDraft } from "../logic/draft";
import { remember, useVariants } from "../logic/variants";
import { Knob } from "./Knob";

const layout = { eps: 1e-5, eps_knob_max: 5, qk_norm: false };
const show = (name: "attn" | "mlp" | "eps", over: Partial<typeof layout> = {}) =>
  render(<Knob name={name} model="m" kind="text" layout={{ ...layout, ...over }} onTouch={() => {}} />);
const value = () => useDraft.getState().recipe;

beforeEach(() => {
  setLanguage("en");
  useDraft.setState(useDraft.getInitialState(), true);
  useDraft.temporal.getState().clear();
  useVariants.setState({ items: [] });
});

describe("a knob by keyboard", () => {
  it("obeys arrows, Page Up and Down, Home and End, and speaks its value", async () => {
    const user = userEvent.setup();
    show("attn");
    const slider = screen.getByRole("slider", { name: "ATTN" });
    expect(slider).toHaveAttribute("aria-valuetext", "1.00, neutral");
    await user.tab();
    await user.tab(); // the number comes first
    expect(slider).toHaveFocus();
    await user.keyboard("{ArrowRight}{ArrowUp}{ArrowLeft}");
    expect(value().attn).toBe(1.05);
    await user.keyboard("{PageUp}");
    expect(slider).toHaveAttribute("aria-valuenow", "1.3");
    await user.keyboard("{Shift>}{ArrowDown}{/Shift}");
    expect(value().attn).toBe(1.29);
    await user.keyboard("{End}");
    expect(value().attn).toBe(2);
    await user.keyboard("{Home}");
    expect(value().attn).toBe(0.1);
  });

  it("speaks the eps it makes and goes on to eps 1e-1", async () => {
    const user = userEvent.setup();
    show("eps");
    const slider = screen.getByRole("slider", { name: "EPS" });
    slider.focus();
    await user.keyboard("{End}");
    expect(slider).toHaveAttribute("aria-valuetext", "5.00, eps 1.0e-1");
  });

  it("makes one undo step of a held key", () => {
    show("mlp");
    const slider = screen.getByRole("slider", { name: "MLP" });
    for (let i = 0; i < 5; i++) fireEvent.keyDown(slider, { key: "ArrowRight" });
    fireEvent.keyUp(slider, { key: "ArrowRight" });
    expect(value().mlp).toBe(1.25);
    undo();
    expect(value().mlp).toBe(1);
  });
});

describe("a knob by pointer", () => {
  beforeEach(() => {
    vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue(new DOMRect(0, 0, 190, 20));
    Element.prototype.setPointerCapture = () => {};
  });

  it("follows the pointer, and undo takes the whole drag back", () => {
    show("attn");
    const slider = screen.getByRole("slider", { name: "ATTN" });
    const at = (x: number) => ({ button: 0, pointerId: 1, clientX: x, bubbles: true });
    fireEvent(slider, new MouseEvent("pointerdown", at(90)));
    for (const x of [100, 120, 140]) fireEvent(slider, new MouseEvent("pointermove", at(x)));
    fireEvent(slider, new MouseEvent("pointerup", at(140)));
    expect(value().attn).toBe(1.5);
    expect(useDraft.temporal.getState().pastStates).toHaveLength(1);
    undo();
    expect(value().attn).toBe(1);
  });

  it("goes back to neutral on a double click", () => {
    useDraft.setState({ recipe: { ...value(), attn: 1.4 } });
    show("attn");
    fireEvent.doubleClick(screen.getByRole("slider", { name: "ATTN" }));
    expect(value().attn).toBe(1);
  });
});

describe("the number beside a knob", () => {
  it("takes what is typed, also beyond the slider's range, and refuses the rest", async () => {
    const user = userEvent.setup();
    show("attn");
    const box = screen.getByRole("textbox", { name: "ATTN value" });
    await user.clear(box);
    await user.type(box, "2,5{Enter}");
    expect(value().attn).toBe(2.5);
    await user.clear(box);
    await user.type(box, "9");
    expect(box).toBeInvalid();
    await user.tab();
    expect(value().attn).toBe(2.5);
  });
});

describe("what a knob says", () => {
  it("shows a collapse zone only where one was measured", () => {
    const { rerender } = show("attn");
    expect(screen.queryByText(/broke down/)).not.toBeInTheDocument();
    remember({
      run: "r",
      model: "m",
      baseKey: "b",
      recipeKey: "k",
      recipe: { attn: 1.6 },
      beginning: "",
      repetition: 0.91,
      lossRise: null,
      firstChange: 0,
      tokens: 64,
    });
    rerender(<Knob name="attn" model="m" kind="text" layout={layout} onTouch={() => {}} />);
    expect(screen.getByText(/from 1.60 on, the answer broke down \(repetition 0.91\)/)).toBeInTheDocument();
  });

  it("tells that only v is felt where q and k are normalised", () => {
    show("attn", { qk_norm: true });
    expect(screen.getByText(/only v is felt/)).toBeInTheDocument();
  });
});
