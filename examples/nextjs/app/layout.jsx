import Link from "next/link";
import { ENDPOINT, KEY } from "../lib/rapport.js";
import { currentVisit } from "../lib/visit.js";
import { Page } from "./page-tracker.jsx";

export const metadata = { title: "Tidewright" };

export default async function Layout({ children }) {
  const visit = await currentVisit();
  return (
    <html lang="en">
      <body>
        <Page hydration={visit.dehydrate()} workspace={{ key: KEY, endpoint: ENDPOINT, cookieDomain: process.env.RAPPORT_DOMAIN }}>
          <nav>
            <Link href="/">Home</Link> <Link href="/pricing">Pricing</Link>
          </nav>
          {children}
        </Page>
      </body>
    </html>
  );
}
