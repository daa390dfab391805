/** Create, once a model is chosen; before that, the choice. */
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import ChoosePage from "@/features/choose/ChoosePage";
import CreatePage from "@/features/create/CreatePage";
import { useChosenModel } from "@/shared/store/model";

const route = getRouteApi("/create");

export default function CreateRoute() {
  const { run } = route.useSearch();
  const chosen = useChosenModel((state) => state.id);
  const navigate = useNavigate();
  if (chosen === null && run === undefined)
    return <ChoosePage first onChosen={() => void navigate({ to: "/create" })} />;
  return <CreatePage run={run ?? null} />;
}
