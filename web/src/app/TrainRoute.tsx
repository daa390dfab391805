/** Train, once a model is chosen; before that, the choice. It ends in Create, where the two are compared. */
import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { modelQuery } from "@/api/models";
import ChoosePage from "@/features/choose/ChoosePage";
import { besideItsOriginal } from "@/features/create/studio";
import TrainPage, { type Compared } from "@/features/train/TrainPage";
import { useChosenModel } from "@/shared/store/model";

const route = getRouteApi("/train");

export default function TrainRoute() {
  const { run } = route.useSearch();
  const { id } = useChosenModel();
  const client = useQueryClient();
  const navigate = useNavigate();
  const compare = async ({ trained, original, kind, prompt }: Compared) => {
    await client.prefetchQuery({ ...modelQuery(original), staleTime: 0 }); // it has a delta more
    besideItsOriginal(trained, original, kind, prompt);
    void navigate({ to: "/create" });
  };
  if (id === null && run === undefined)
    return <ChoosePage first onChosen={() => void navigate({ to: "/train" })} />;
  return <TrainPage model={id ?? ""} run={run ?? null} onCompare={(compared) => void compare(compared)} />;
}
