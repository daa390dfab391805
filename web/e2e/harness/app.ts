/** A real `imfine up` with a home of its own: starts it, reads the address it prints, stops it, kills its worker.
 * Knows the command line and the process tree, no screen. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../../..");
const IMFINE = join(ROOT, ".venv/bin/imfine");
const STARTER = "smollm2-135m";
const CACHE = join(ROOT, ".cache/tests"); // the Python tests keep the starter there too, fetched and converted once
const TOKEN = "a-token-for-the-end-to-end-tests";
const START_MS = 60_000;

export class App {
  readonly headers = { authorization: `Bearer ${TOKEN}` };
  readonly home = mkdtempSync(join(tmpdir(), "imfine-e2e-"));
  port = 0;
  /** With the one-time token, as printed by `imfine up`. */
  printed = "";
  private child: ChildProcess | undefined;
  private said = "";

  static async start(): Promise<App> {
    const app = new App();
    app.lendStarter();
    app.port = await freePort();
    await app.up();
    return app;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** With the permanent token: works again and again. */
  get address(): string {
    return `${this.url}/?token=${TOKEN}`;
  }

  async up(): Promise<void> {
    this.said = "";
    const command = ["up", "--home", this.home, "--port", String(this.port)];
    const child = spawn(IMFINE, command, { env: ownEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (data) => (this.said += String(data)));
    this.printed = await until(START_MS, () => {
      if (child.exitCode !== null) throw new Error(`imfine up ended with ${child.exitCode}:\n${this.said}`);
      return /http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+/.exec(this.said)?.[0];
    }).catch((error) => {
      throw new Error(`imfine up printed no address.\n${error}\n${this.said}`);
    });
  }

  /** Ctrl-C, and all that belongs to it is gone. */
  async stop(): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null) return;
    const family = descendants(child.pid ?? 0);
    child.kill("SIGINT");
    await until(15_000, () => child.exitCode !== null || child.signalCode !== null);
    await until(5_000, () => family.every((pid) => !existsSync(`/proc/${pid}/stat`) || isZombie(pid)));
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.home, { recursive: true, force: true });
  }

  killLiveWorker(): void {
    const pid = descendants(this.child?.pid ?? 0).find((one) => /\blive\b/.test(commandLine(one)));
    if (!pid)
      throw new Error(
        `no live worker among:\n${descendants(this.child?.pid ?? 0)
          .map(commandLine)
          .join("\n")}`,
      );
    process.kill(pid, "SIGKILL");
  }

  /** `kill -9` of `imfine up`, the server in it; its workers notice by themselves. `up()` starts it again. */
  async crash(): Promise<void> {
    const child = this.child;
    child?.kill("SIGKILL");
    await until(5_000, () => child?.signalCode !== null);
  }

  async api<T>(path: string, body?: unknown): Promise<T> {
    const answer = await fetch(this.url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { ...this.headers, "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  private lendStarter(): void {
    const models = join(CACHE, "models");
    if (!existsSync(join(models, STARTER)))
      execFileSync(IMFINE, ["pull", STARTER], {
        env: { ...ownEnvironment(), IMFINE_HOME: CACHE },
        stdio: "inherit",
      });
    mkdirSync(join(this.home, "models"), { recursive: true });
    symlinkSync(join(models, STARTER), join(this.home, "models", STARTER));
  }
}

function ownEnvironment(): NodeJS.ProcessEnv {
  const plain = Object.entries(process.env).filter(([key]) => !key.startsWith("IMFINE_"));
  return { ...Object.fromEntries(plain), IMFINE_TOKEN: TOKEN, NO_COLOR: "1" };
}

export async function freePort(): Promise<number> {
  const door = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => door.once("listening", done));
  const address = door.address();
  await new Promise((done) => door.close(done));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

/** Asks again and again until the answer is truthy. */
export async function until<T>(ms: number, ask: () => T | Promise<T>): Promise<NonNullable<T>> {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${ask}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

function descendants(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((one) => /^\d+$/.test(one))) {
    const stat = readText(`/proc/${name}/stat`);
    const parent = stat.slice(stat.lastIndexOf(")")).split(" ")[2];
    if (parent) parents.set(Number(name), Number(parent));
  }
  const found: number[] = [];
  for (let layer = [root]; layer.length > 0; ) {
    layer = [...parents].filter(([, parent]) => layer.includes(parent)).map(([pid]) => pid);
    found.push(...layer);
  }
  return found;
}

function isZombie(pid: number): boolean {
  return /\) Z /.test(readText(`/proc/${pid}/stat`));
}

function commandLine(pid: number): string {
  return readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // the process has ended meanwhile
  }
}
