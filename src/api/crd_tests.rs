use super::*;

/// `kubectl apply` keeps the whole manifest in an annotation, and annotations may hold 256 KiB.
const ANNOTATIONS_MAX: usize = 256 * 1024;

fn schemas() -> Vec<(String, JSONSchemaProps)> {
    all()
        .into_iter()
        .flat_map(|crd| {
            let kind = crd.spec.names.kind;
            crd.spec.versions.into_iter().map(move |version| {
                let schema = version.schema.and_then(|schema| schema.open_api_v3_schema).unwrap();
                (format!("{kind} {}", version.name), schema)
            })
        })
        .collect()
}

/// Calls `look` with each part of a schema and its path.
fn walk(schema: &JSONSchemaProps, path: &str, look: &mut impl FnMut(&str, &JSONSchemaProps)) {
    look(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        walk(property, &format!("{path}.{name}"), look);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        walk(items, &format!("{path}[]"), look);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        walk(values, &format!("{path}{{}}"), look);
    }
}

#[test]
fn both_versions_are_served_from_one_schema() {
    for crd in all() {
        let [v1, beta] = crd.spec.versions.as_slice() else { panic!("two versions") };
        assert_eq!((v1.name.as_str(), v1.served, v1.storage), ("v1", true, true));
        assert_eq!((beta.name.as_str(), beta.served, beta.storage), ("v1beta1", true, false));
        assert_eq!(v1.schema, beta.schema);
        assert_eq!(v1.additional_printer_columns, beta.additional_printer_columns);
        assert!(v1.subresources.as_ref().is_some_and(|subresources| subresources.status.is_some()));
        assert_eq!(crd.spec.conversion.as_ref().unwrap().strategy, "None");
        assert_eq!(crd.spec.group, names::GROUP);
    }
}

#[test]
fn the_only_default_is_a_status_about_nothing() {
    for (name, schema) in schemas() {
        let mut defaults = Vec::new();
        walk(&schema, "", &mut |path, part| {
            if let Some(default) = &part.default {
                defaults.push((path.to_owned(), default.0.clone()));
            }
            assert_eq!(part.nullable, None, "{name}{path}");
        });
        assert_eq!(defaults, [(".status".to_owned(), json!({"observedGeneration": -1}))], "{name}");
    }
}

#[test]
fn only_the_provider_keeps_what_it_does_not_know() {
    for (name, schema) in schemas() {
        let mut open = Vec::new();
        walk(&schema, "", &mut |path, part| {
            if part.x_kubernetes_preserve_unknown_fields == Some(true) {
                open.push(path.to_owned());
            }
        });
        let expected: &[&str] = if name.contains("Store") { &[".spec.provider"] } else { &[] };
        assert_eq!(open, expected, "{name}");
    }
}

#[test]
fn each_field_is_explained() {
    for (name, schema) in schemas() {
        walk(&schema, "", &mut |path, part| {
            let is_named = !path.ends_with("[]") && !path.ends_with("{}");
            let text = part.description.as_deref().unwrap_or_default();
            assert!(!is_named || text.len() > 9, "{name}{path} has no description");
            assert!(!text.contains('\n'), "{name}{path}: kubectl explain wraps lines itself");
            assert!(!text.contains("[`"), "{name}{path}: not for users: {text}");
        });
    }
}

#[test]
fn each_crd_fits_a_plain_kubectl_apply() {
    for crd in all() {
        let size = serde_json::to_string(&crd).unwrap().len();
        assert!(size < ANNOTATIONS_MAX * 3 / 4, "{} has {size} bytes", crd.spec.names.kind);
    }
}

#[test]
fn yaml_reads_back_as_what_was_written() {
    let crds = all();
    let files = render(&crds).unwrap();
    assert_eq!(
        files.keys().collect::<Vec<_>>(),
        [
            "external-secrets.io_clustersecretstores.yaml",
            "external-secrets.io_externalsecrets.yaml",
            "external-secrets.io_secretstores.yaml"
        ]
    );
    for crd in crds {
        let file = &files[&format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural)];
        assert_eq!(serde_saphyr::from_str::<CustomResourceDefinition>(file).unwrap(), crd);
    }
}
