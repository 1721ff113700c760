// Door of `send`: bytes on their way, in a thread of their own.

export { Sender, type SenderOptions, type Sending } from "./sender.ts";
