/** The stream of events. The browser connects again by itself and says where it was. */
import { parseWire } from "../model/json.ts";
import { EVENT_NAMES, type ServerEvent } from "./stream.ts";

export interface Events {
  close(): void;
}

export function listen(
  take: (event: ServerEvent) => void,
  connected: (is: boolean) => void,
  open: (url: string) => EventSource = (url) => new EventSource(url),
  url = "/v1/events",
): Events {
  let source: EventSource | undefined;
  let last = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wait = 500;

  const begin = (): void => {
    source = open(last ? `${url}?after=${encodeURIComponent(last)}` : url);
    source.onopen = () => {
      wait = 500;
      connected(true);
    };
    source.onerror = () => {
      connected(false);
      // A refused connection is given up by the browser; one that broke is not.
      if (source?.readyState !== 2) return;
      clearTimeout(timer);
      timer = setTimeout(begin, wait);
      wait = Math.min(wait * 2, 10_000);
    };
    for (const name of EVENT_NAMES) {
      source.addEventListener(name, (message: MessageEvent<string>) => {
        if (message.lastEventId) last = message.lastEventId;
        take(parseWire(message.data) as unknown as ServerEvent);
      });
    }
  };
  begin();
  return {
    close: () => {
      clearTimeout(timer);
      source?.close();
    },
  };
}
