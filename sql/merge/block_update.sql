UPDATE "{db}"."{name}_block" SET n_chips = ?2, chips = ?3 WHERE id = ?1
