/** How much of the model a recipe touches, counted from the model itself. Knows a manifest. */
import { Popover } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Trans } from "react-i18next";
import { api, body } from "@/api/client";
import type { Manifest } from "@/api/types";
import { percent } from "@/shared/i18n/format";
import { heardKey, useDraft } from "../logic/draft";
import { formatEps } from "../logic/knob";
import { formatGain } from "../logic/recipe";
import { useWords } from "../messages";
import classes from "./ManifestLine.module.css";

const DEBOUNCE_MS = 250;
const SHOWN = 400;

/** The recipe's key once the hand rests. A move itself renders nothing here: the answer has the processor. */
function useSettled(layers: number): string {
  const [settled, setSettled] = useState(() => heardKey(useDraft.getState(), layers));
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = () => setSettled(heardKey(useDraft.getState(), layers));
    settle();
    const stop = useDraft.subscribe(() => {
      clearTimeout(timer);
      timer = setTimeout(settle, DEBOUNCE_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [layers]);
  return settled;
}

function useManifest(model: string, recipeKey: string) {
  return useQuery({
    queryKey: ["manifest", model, recipeKey],
    queryFn: ({ signal }) =>
      body(api.POST("/api/manifest", { body: { model, recipe: JSON.parse(recipeKey) as never }, signal })),
    enabled: recipeKey !== "{}",
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: keepPreviousData,
    retry: false,
  });
}

export function ManifestLine({ model, layers }: { model: string; layers: number }) {
  const recipeKey = useSettled(layers);
  const t = useWords();
  const { data } = useManifest(model, recipeKey);
  if (recipeKey === "{}") return <p className={classes.line}>{t("manifest.none")}</p>;
  if (!data) return null;
  return (
    <div className={classes.line}>
      <span>
        <Trans
          defaults={t("manifest.line", {
            touched: data.touched,
            total: data.total,
            share: percent(data.share, 1),
          })}
          components={{ b: <strong /> }}
        />
      </span>
      <Popover width={430} position="top-start" withinPortal trapFocus>
        <Popover.Target>
          <button type="button" className={classes.more}>
            {t("manifest.details")}
          </button>
        </Popover.Target>
        <Popover.Dropdown className={classes.drop}>
          <Details manifest={data} />
        </Popover.Dropdown>
      </Popover>
    </div>
  );
}

function Details({ manifest }: { manifest: Manifest }) {
  const t = useWords();
  const { tensors, eps: norms } = manifest;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reachable by keyboard
    <section className={classes.details} aria-label={t("manifest.title")} tabIndex={0}>
      <h3>{t("manifest.title")}</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("manifest.tensor")}</th>
            <th scope="col">{t("manifest.factor")}</th>
          </tr>
        </thead>
        <tbody>
          {tensors.slice(0, SHOWN).map((tensor, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a fused tensor stands once for each part
            <tr key={`${tensor.name}-${i}`}>
              <td>{tensor.name}</td>
              <td>
                {tensor.matrix
                  ? t("manifest.mixed")
                  : tensor.factors
                    ? Object.entries(tensor.factors)
                        .map(([part, factor]) => `${part} ${formatGain(factor)}`)
                        .join(", ")
                    : formatGain(tensor.factor ?? 1)}
              </td>
            </tr>
          ))}
          {norms.slice(0, SHOWN).map(({ norm, from, to }) => (
            <tr key={norm}>
              <td>{norm}</td>
              <td>
                eps {formatEps(from)} → {formatEps(to)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {tensors.length > SHOWN ? <p>{t("manifest.more", { count: tensors.length - SHOWN })}</p> : null}
    </section>
  );
}
