/** Every run there was: searched, filtered, opened, compared. What is shown stands in the address. */
import { IconInbox, IconPinned, IconSearch } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import type { Run } from "@/api/types";
import { number } from "@/shared/i18n/format";
import { Button } from "@/shared/ui/Button";
import { ChipButton } from "@/shared/ui/Chip";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { Field } from "@/shared/ui/Field";
import { RunDrawer } from "./detail/RunDrawer";
import classes from "./JobsPage.module.css";
import { RunList } from "./RunList";
import { runQuery, runsQuery } from "./runsQuery";
import { useLiveRuns } from "./useLiveRuns";
import { type ChangeView, type JobsView, STATES, stateOf } from "./view";
import { useT } from "./words";

type Props = { view: JobsView; onView: ChangeView; onOpen: (run: Run) => void; onCreate: () => void };

export default function JobsPage({ view, onView, onOpen, onCreate }: Props) {
  const t = useT();
  const state = stateOf(view);
  const query = useMemo(() => runsQuery({ q: view.q, state }), [view.q, state]);
  const runs = useInfiniteQuery(query);
  const live = useLiveRuns(query.queryKey);
  const items = useMemo(() => runs.data?.pages.flatMap((page) => page.items) ?? [], [runs.data]);
  const total = runs.data?.pages[0]?.total ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = runs;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const open = useCallback((run: string) => onView({ run }), [onView]);
  const filtered = view.q !== undefined || state !== undefined;
  return (
    <div className={classes.page}>
      <header className={classes.head}>
        <h1>{t("title")}</h1>
        {runs.data ? (
          <p className={classes.total}>{t("total", { count: total, shown: number(total) })}</p>
        ) : null}
      </header>
      <div className={classes.tools}>
        <Search now={view.q ?? ""} onSearch={(q) => onView({ q: q || undefined }, true)} />
        <fieldset className={classes.states}>
          <legend className="visually-hidden">{t("filter")}</legend>
          <ChipButton pressed={!state} onClick={() => onView({ state: undefined }, true)}>
            {t("all")}
          </ChipButton>
          {STATES.map((one) => (
            <ChipButton key={one} pressed={state === one} onClick={() => onView({ state: one }, true)}>
              {t(`state.${one}`)}
            </ChipButton>
          ))}
        </fieldset>
      </div>
      {view.base ? <Baseline id={view.base} onDrop={() => onView({ base: undefined })} /> : null}
      {live.fresh ? (
        <Button className={classes.fresh} onClick={live.refresh}>
          {t("fresh")}
        </Button>
      ) : null}
      {runs.error ? <ErrorNote error={runs.error} onRetry={() => void runs.refetch()} /> : null}
      {runs.isPending ? <Skeleton /> : null}
      {runs.data && items.length > 0 ? (
        <RunList
          runs={items}
          total={total}
          open={view.run}
          base={view.base}
          onOpen={open}
          onEnd={onEnd}
          loadingMore={isFetchingNextPage}
        />
      ) : null}
      {runs.data && items.length === 0 ? (
        <Empty
          title={filtered ? t("no_match") : t("empty")}
          words={filtered ? t("no_match_words") : t("empty_words")}
          action={filtered ? t("clear") : t("empty_go")}
          onAction={filtered ? () => onView({ q: undefined, state: undefined }) : onCreate}
        />
      ) : null}
      {view.run ? (
        <RunDrawer key={view.run} id={view.run} base={view.base} onView={onView} onOpen={onOpen} />
      ) : null}
    </div>
  );
}

/** What is typed is asked a moment after the last key. */
function Search({ now, onSearch }: { now: string; onSearch: (q: string) => void }) {
  const t = useT();
  const [typed, setTyped] = useState(now);
  useEffect(() => setTyped(now), [now]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what is typed starts the wait
  useEffect(() => {
    if (typed.trim() === now) return;
    const timer = setTimeout(() => onSearch(typed.trim()), 250);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <Field
      type="search"
      label={t("search")}
      hideLabel
      placeholder={t("search")}
      value={typed}
      maxLength={200}
      onChange={(event) => setTyped(event.currentTarget.value)}
      icon={<IconSearch size={18} aria-hidden />}
      className={classes.search}
    />
  );
}

function Baseline({ id, onDrop }: { id: string; onDrop: () => void }) {
  const t = useT();
  const { data } = useQuery(runQuery(id));
  return (
    <p className={classes.baseline}>
      <IconPinned size={17} aria-hidden />
      {t("detail.baseline_bar", { name: data?.name ?? id })}
      <Button size="small" kind="quiet" onClick={onDrop}>
        {t("detail.baseline_off")}
      </Button>
    </p>
  );
}

type EmptyProps = { title: string; words: string; action: string; onAction: () => void };

function Empty({ title, words, action, onAction }: EmptyProps) {
  return (
    <div className={classes.empty}>
      <IconInbox size={40} stroke={1.3} aria-hidden />
      <h2>{title}</h2>
      <p>{words}</p>
      <Button kind="primary" onClick={onAction}>
        {action}
      </Button>
    </div>
  );
}

function Skeleton() {
  return <div className={classes.skeleton} aria-busy="true" />;
}
