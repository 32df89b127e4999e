import { Seen } from "rapport/react";
import { currentVisit } from "../lib/visit.js";
import { Banner, Hero, Score } from "./widgets.jsx";

export default async function Home() {
  const visit = await currentVisit();
  return (
    <main>
      <Hero />
      <p id="server">{visit.peek("hero").value}</p>
      <Seen name="hero" />
      <Banner />
      <p>
        Your score: <Score />
      </p>
      <a id="call" href="/pricing">
        Talk to us
      </a>
    </main>
  );
}
