// Ours, as the peers' bench takes it: `make` gives what answers for user number i. RAPPORT_SDK is the folder of our build.
import assert from "node:assert/strict";

const { openRapport } = await import(`${process.env.RAPPORT_SDK}/server.js`);
const { bundleFile } = await import(`${process.env.RAPPORT_SDK}/testing.js`);

export async function make(users, fx) {
  let exposures = 0;
  const file = Buffer.from(JSON.stringify(bundleFile({ flags: fx("growthbook.json") })));
  const rapport = await openRapport({ file, onExposure: () => (exposures += 1) });
  const ask = (attributes) => rapport.value("exp", "x", { attributes });
  // A raw user that nobody saw before, as a request brings one.
  const answer = (i) => ask({ ...users[i] });
  check(users, ask, answer);
  assert(exposures >= users.length, "the callback is on");
  return answer;
}

/** Nothing is remembered between calls: order and what was asked before change nothing. */
function check(users, ask, answer) {
  const forwards = users.map((_, i) => answer(i));
  const backwards = users.map((_, i) => answer(users.length - 1 - i)).reverse();
  assert.deepEqual(backwards, forwards);
  const count = (value) => forwards.filter((one) => one === value).length;
  assert.deepEqual(["control", "b", "c"].map(count), [331, 320, 349]);
  for (const [i, user] of users.slice(0, 100).entries()) {
    const changed = { ...user, id: users.at(-1 - i).id, country: "FR" };
    assert.equal(ask(changed), "control");
    changed.country = "US";
    assert.equal(ask(changed), forwards.at(-1 - i));
    changed.id = user.id;
    assert.equal(ask(changed), forwards[i]);
  }
}
