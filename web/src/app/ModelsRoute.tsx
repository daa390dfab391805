/** The Models page leads on to Create. */
import { useNavigate } from "@tanstack/react-router";
import ChoosePage from "@/features/choose/ChoosePage";

export default function ModelsRoute() {
  const navigate = useNavigate();
  return <ChoosePage onChosen={() => void navigate({ to: "/create" })} />;
}
