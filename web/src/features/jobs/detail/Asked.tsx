/** What was asked: the words, the knobs, the way of answering. */
import type { Run } from "@/api/types";
import { RecipeWords } from "../RecipeWords";
import { useT } from "../words";
import classes from "./Asked.module.css";
import frame from "./RunDrawer.module.css";
import { samplingWords } from "./samplingWords";

export function Asked({ run }: { run: Run }) {
  const t = useT();
  const { messages, prompt } = run.request;
  return (
    <>
      <section className={frame.section}>
        <h3>{t("detail.prompt")}</h3>
        {messages?.map((message, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the turns of a kept request do not move
          <p key={index} className={classes.prompt}>
            <b className={classes.role}>{t(`roles.${role(message.role)}`)}</b> {message.content}
          </p>
        )) ?? <p className={classes.prompt}>{prompt}</p>}
      </section>
      <section className={frame.section}>
        <h3>{t("detail.recipe")}</h3>
        <RecipeWords recipe={run.recipe} whole />
      </section>
      <section className={frame.section}>
        <h3>{t("detail.sampling")}</h3>
        <p className={classes.sampling}>{samplingWords(run.request.image ?? run.request.sampling)}</p>
      </section>
    </>
  );
}

function role(name: string | undefined): "system" | "user" | "assistant" {
  return name === "system" || name === "assistant" ? name : "user";
}
