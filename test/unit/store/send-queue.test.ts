// Reading what the kernel says of a connection.

import { expect, test } from "vitest";
import { parseSendQueues, portsOf } from "../../../src/store/send-queue.ts";

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20911 1 0
   1: 0100007F:9C40 0100007F:1F90 01 0003A2F0:00000000 01:00000018 00000000     0        0 31337 2 0
`;

test("parseSendQueues() names each connection by both ports", () => {
  const queues = parseSendQueues(TABLE);
  expect(queues.get(portsOf(0x9c40, 0x1f90))).toBe(0x3a2f0);
  expect(queues.get(portsOf(0x1f90, 0))).toBe(0);
  expect(queues.get(portsOf(0x1f90, 0x9c40))).toBeUndefined();
  expect(parseSendQueues("").size).toBe(0);
});
