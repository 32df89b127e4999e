import { Seen } from "rapport/react";

export default function Pricing() {
  return (
    <main>
      <h1 id="plans">Monthly plans</h1>
      <Seen name="plans" />
    </main>
  );
}
