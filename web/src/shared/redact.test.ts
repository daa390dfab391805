/** What must not leave the machine with a copied log. */
import { expect, test } from "vitest";
import { redact } from "./redact";

test.each([
  ["open /home/kim/secret/models/x.safetensors failed", "open …/x.safetensors failed"],
  ["C:\\Users\\kim\\imfine\\x.bin", "…\\x.bin"],
  ["Authorization: Bearer abcdef123456", "Authorization: Bearer …"],
  ["http://127.0.0.1:7878/?token=s3cr3ttoken&x=1", "http://127.0.0.1:7878/?token=…&x=1"],
  ["HF_TOKEN hf_abcdefghijkl", "HF_TOKEN hf_…"],
  ["2 of 12 layers, see docs/performance.md", "2 of 12 layers, see docs/performance.md"],
])("%s", (text, left) => expect(redact(text)).toBe(left));
