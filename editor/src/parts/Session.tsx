/** What is shown where there is no session: a field for the token. */
import { useState } from "preact/hooks";
import { t } from "./text.ts";

export function Session({ message, onToken }: { message: string; onToken: (token: string) => Promise<boolean> }) {
  const [token, setToken] = useState("");
  const [wrong, setWrong] = useState(false);
  return (
    <main class="session">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void onToken(token.trim()).then((is) => setWrong(!is));
        }}
      >
        <h1>{t.app}</h1>
        <p>{message}</p>
        <label for="token">{t.token}</label>
        <input id="token" class="input large" type="password" autocomplete="current-password" value={token} aria-invalid={wrong || undefined} onInput={(event) => setToken(event.currentTarget.value)} />
        {wrong && <p class="bad" role="alert">{t.wrongToken}</p>}
        <button type="submit" class="button primary large" disabled={!token.trim()}>{t.enter}</button>
      </form>
    </main>
  );
}
