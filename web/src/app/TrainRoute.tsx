/** Train, once a model is chosen; before that, the choice. It ends in Create, where the two are compared. */
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import ChoosePage from "@/features/choose/ChoosePage";
import TrainPage from "@/features/train/TrainPage";
import { useChosenModel } from "@/shared/store/model";

const route = getRouteApi("/train");

export default function TrainRoute() {
  const { run } = route.useSearch();
  const { id, choose } = useChosenModel();
  const navigate = useNavigate();
  const compare = (trained: string) => {
    choose(trained);
    void navigate({ to: "/create" });
  };
  if (id === null && run === undefined)
    return <ChoosePage first onChosen={() => void navigate({ to: "/train" })} />;
  return <TrainPage model={id ?? ""} run={run ?? null} onCompare={compare} />;
}
