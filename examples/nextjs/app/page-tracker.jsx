"use client";
import { useEffect, useState } from "react";
import { createRapport } from "rapport";
import { RapportProvider } from "rapport/react";

let started;

/** Starts the tracker once the page is hydrated: what it changes in the page waits until then. */
export function Page({ hydration, workspace, children }) {
  const [rapport, setRapport] = useState(null);
  useEffect(() => {
    document.documentElement.dataset.hydrated = "";
    started ??= createRapport(workspace);
    setRapport(started);
  }, [workspace]);
  return (
    <RapportProvider hydration={hydration} rapport={rapport}>
      {children}
    </RapportProvider>
  );
}
