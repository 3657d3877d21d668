export default function Mask() { return null; }
