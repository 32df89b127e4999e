/** Browsers begin like one another and name no address; crawlers say what they are. Cubot makes telephones. */
const CRAWLER =
  /^(?!mozilla\/5\.0 \(|opera\/)|https?:|www\.|@\w+\.[a-z]|\.com|[^u]bot|crawl|spider|slurp|preview|monitor|archive|fetch|scanner|agent[;/ ]|compatible;(?! msie)|google-|lighthouse|ptst/i;
const AUTOMATED = /headless|puppeteer|playwright|selenium|electron/i;

/** A declared crawler, an automated browser, or neither. */
export function botOf({ userAgent, webdriver }: Pick<Navigator, "userAgent" | "webdriver">): "crawler" | "automated" | undefined {
  if (CRAWLER.test(userAgent)) return "crawler";
  return webdriver || AUTOMATED.test(userAgent) ? "automated" : undefined;
}
