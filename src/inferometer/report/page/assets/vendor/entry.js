export {plot, line, dot, ruleX, ruleY, link, text, barX, tip, pointer, axisX, axisY, gridX, gridY} from "@observablehq/plot";
