import { Seen } from "rapport/react";

export default function Yearly() {
  return (
    <main>
      <h1 id="plans">Yearly plans</h1>
      <Seen name="plans" />
    </main>
  );
}
