/** For pages that show each visitor what is decided for them, too. */
import * as personalize from "../personalize/index";
import * as scoring from "../scoring/index";
import * as sdk from "../tag";
import { run } from "./run";

run({ sdk, scoring, visit: scoring, personalize });
