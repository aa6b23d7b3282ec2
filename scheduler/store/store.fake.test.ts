import { historyContract } from "./history.contract.ts";
import { FakeStore } from "./store.fake.ts";
import { storeContract } from "./store.contract.ts";

storeContract("in memory", () => Promise.resolve(new FakeStore()));
historyContract("in memory", () => Promise.resolve(new FakeStore()));
