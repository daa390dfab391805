/** Where the page begins. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./features/session/urlToken"; // before the router reads the address
import { App } from "./app/App";

const place = document.getElementById("root");
if (!place) throw new Error("index.html has no #root");
createRoot(place).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
