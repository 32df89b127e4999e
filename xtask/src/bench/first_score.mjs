// Opens a page in Chromium and prints the first score that it shows.
import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(join(process.cwd(), "package.json"))("playwright-core");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
try {
  const page = await browser.newPage();
  await page.addInitScript(() => {
    window.firstScore = new Promise((resolve) => {
      window.addEventListener("rapport:decision", (event) => resolve(event.detail.score), { once: true });
    });
  });
  await page.goto(process.argv[2]);
  console.log(await page.evaluate(() => window.firstScore));
} finally {
  await browser.close();
}
