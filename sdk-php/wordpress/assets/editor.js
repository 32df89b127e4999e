// Every block may be a slot: its panel asks for the name.
(({ hooks, element, compose, blockEditor, components }) => {
  const { createElement: make, Fragment } = element;

  hooks.addFilter("blocks.registerBlockType", "rapport/slot", (settings) => ({
    ...settings,
    attributes: { ...settings.attributes, rapportSlot: { type: "string", default: "" } },
  }));

  const withSlot = compose.createHigherOrderComponent(
    (Edit) => (props) => {
      const name = make(components.TextControl, {
        label: "Slot",
        help: "Rapport shows here what is decided for each visitor; what stands here now is for all others.",
        value: props.attributes.rapportSlot ?? "",
        onChange: (rapportSlot) => props.setAttributes({ rapportSlot: rapportSlot.replace(/[^\w.-]/g, "") }),
      });
      const panel = make(components.PanelBody, { title: "Rapport", initialOpen: false }, name);
      return make(Fragment, null, make(Edit, props), make(blockEditor.InspectorControls, null, panel));
    },
    "withRapportSlot",
  );
  hooks.addFilter("editor.BlockEdit", "rapport/slot", withSlot);
})(self.wp);
