/** For pages that track and score. */
import * as scoring from "../scoring/index";
import * as sdk from "../tag";
import { run } from "./run";

run({ sdk, scoring, visit: scoring });
