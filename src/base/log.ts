// What a module may say to the log. `cli` gives it a pino logger; tests give it `silentLog`.

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A line on its way from a thread to the main thread's log. */
export interface LogLine {
  readonly log: keyof Log;
  readonly fields: object;
  readonly message: string;
}

/** The log of a worker thread: lines go to `post`, and name the `thread`. Only plain values cross. */
export function threadLog(thread: string, post: (line: LogLine) => void): Log {
  const line =
    (level: keyof Log) =>
    (fields: object, message: string): void => {
      // The text of an error is in the message.
      const plain = Object.entries(fields).filter(([, value]) => typeof value !== "object");
      post({ log: level, fields: { ...Object.fromEntries(plain), thread }, message });
    };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}
