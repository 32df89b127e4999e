// Waiting for what comes, not for a while.

/** The first value that is neither false nor absent; asks until it comes or the machine must be dead. */
export async function until(look, what = String(look), seconds = 15) {
  for (let tries = 0; tries < seconds * 40; tries += 1) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`waited in vain: ${what}`);
}

/** The visitor's events with this name (or type), once the collector holds `count` of them. */
export async function arrived(site, name, count = 1) {
  const named = () => site.state.events.filter(({ event, type }) => (event ?? type) === name);
  return until(() => named().length >= count && named(), `${count} × ${name} among ${site.state.events.map(({ event, type }) => event ?? type)}`);
}

/** What this page's visitor saw of experiments and experiences, once the collector holds `count`: pages of others may still be telling. */
export async function viewed(site, page, count = 0) {
  const id = await page.evaluate(() => window.rapport.anonymousId);
  const own = () => site.state.events.filter(({ event, anonymousId }) => /^Experi\w+ Viewed$/.test(event) && anonymousId === id).map(({ properties }) => properties);
  return until(() => own().length >= count && own(), `${count} views`);
}

/** Everything that this page made is with the collector. */
export async function settled(page) {
  await page.evaluate(() => window.rapport.flush());
}
