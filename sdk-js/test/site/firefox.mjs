// Firefox, as the tests drive it by WebDriver BiDi: `FIREFOX` or Debian's `firefox-esr`.
import { existsSync } from "node:fs";
import puppeteer from "puppeteer-core";

const known = ["/usr/bin/firefox-esr", "/usr/bin/firefox"];

/** Where Firefox is, if it is anywhere. */
export const firefox = process.env.FIREFOX ?? known.find(existsSync);

export function launchFirefox() {
  return puppeteer.launch({ browser: "firefox", executablePath: firefox, headless: true, protocol: "webDriverBiDi", protocolTimeout: 60_000 });
}
