"use client";
import { Slot, useFeature, useScore, useTrack } from "rapport/react";

export function Hero() {
  const hero = useFeature("hero", "plain");
  const track = useTrack();
  return (
    <h1 id="client" data-hero={hero} onClick={() => track("Hero Clicked", { hero })}>
      {{ plain: "Leads, sorted", warm: "Good to see you", bold: "Sell more. Now." }[hero]}
    </h1>
  );
}

export function Banner() {
  return (
    <Slot name="banner" as="section">
      <p id="default-banner">Welcome</p>
    </Slot>
  );
}

export function Score() {
  const score = useScore();
  return <output id="score">{score ?? "–"}</output>;
}
