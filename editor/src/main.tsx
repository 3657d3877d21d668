import { render } from "preact";

render(<main>nodetool</main>, document.getElementById("app")!);
